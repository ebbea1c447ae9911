"""pycocoevalcap.rouge.rouge"""
from blip_score.program import array_of, score_of


class Rouge:
    def compute_score(self, gts, res):
        score, scores = score_of("rouge_l", "ROUGE_L", gts, res)
        return score, array_of(scores)

    def method(self):
        return "Rouge"
