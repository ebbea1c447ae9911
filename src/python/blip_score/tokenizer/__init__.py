from blip_score.tokenizer.ptbtokenizer import PTBTokenizer  # noqa: F401
