"""pycocoevalcap.tokenizer.ptbtokenizer"""
from blip_score.program import program


class PTBTokenizer:
    def tokenize(self, captions_for_image):
        """{image: [{"caption": text}, ...]} to {image: [tokens with spaces between]}."""
        lines = [row["caption"] for rows in captions_for_image.values() for row in rows]
        tokens = iter(program.ask({"tokenize": lines})["tokens"])
        return {image: [next(tokens) for _ in rows] for image, rows in captions_for_image.items()}
