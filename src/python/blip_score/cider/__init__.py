from blip_score.cider.cider import Cider  # noqa: F401
