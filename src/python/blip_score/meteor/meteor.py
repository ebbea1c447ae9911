"""pycocoevalcap.meteor.meteor"""
from blip_score.program import score_of


class Meteor:
    def __init__(self, data=""):
        """data: the folder of METEOR's tables; empty: where env/setup.sh --with-meteor puts them."""
        self._data = str(data)

    def compute_score(self, gts, res):
        return score_of("meteor", "METEOR", gts, res, meteor_data=self._data)

    def method(self):
        return "METEOR"
