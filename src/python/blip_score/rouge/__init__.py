from blip_score.rouge.rouge import Rouge  # noqa: F401
