from blip_score.bleu.bleu import Bleu  # noqa: F401
