"""pycocoevalcap.cider.cider"""
from blip_score.program import array_of, score_of


class Cider:
    def __init__(self, test=None, refs=None, n=4, sigma=6.0, cider_df=None):
        """cider_df: a file of document frequencies (blip_mpi score --write-cider-df); None: those of the references."""
        if (n, sigma) != (4, 6.0):
            raise ValueError("CIDEr is computed with n-grams of up to 4 words and sigma 6")
        self._more = {} if cider_df is None else {"cider_df": str(cider_df)}

    def compute_score(self, gts, res):
        score, scores = score_of("cider", "CIDEr", gts, res, **self._more)
        return score, array_of(scores)

    def method(self):
        return "CIDEr"
