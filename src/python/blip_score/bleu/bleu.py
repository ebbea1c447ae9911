"""pycocoevalcap.bleu.bleu"""
from blip_score.program import pairs_of, program


class Bleu:
    def __init__(self, n=4):
        self._n = n

    def compute_score(self, gts, res, verbose=1):
        """gts, res: {image: [captions as tokens with spaces between]}. The n scores, and of each the images' scores."""
        answer = program.ask({"score": "bleu", **pairs_of(gts, res)})
        names = [f"Bleu_{n}" for n in range(1, self._n + 1)]
        return [answer["corpus"][name] for name in names], [answer["per_image"][name] for name in names]

    def method(self):
        return "Bleu"
