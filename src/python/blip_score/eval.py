"""pycocoevalcap.eval"""
from blip_score.bleu import Bleu
from blip_score.cider import Cider
from blip_score.meteor import Meteor
from blip_score.rouge import Rouge
from blip_score.tokenizer import PTBTokenizer


class COCOEvalCap:
    """coco, cocoRes: pycocotools' COCO of the references, and what its loadRes made of the results. SPICE is not
    computed; METEOR is left out where its tables are not installed, and `problems` says so."""

    def __init__(self, coco, cocoRes):
        self.evalImgs = []
        self.eval = {}
        self.imgToEval = {}
        self.problems = []
        self.coco = coco
        self.cocoRes = cocoRes
        self.params = {"image_id": coco.getImgIds()}

    def evaluate(self):
        images = self.params["image_id"]
        tokenizer = PTBTokenizer()
        gts = tokenizer.tokenize({image: self.coco.imgToAnns[image] for image in images})
        res = tokenizer.tokenize({image: self.cocoRes.imgToAnns[image] for image in images})
        self.imgToEval = {image: {"image_id": image} for image in gts}
        for scorer, names in ((Bleu(4), ["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4"]), (Meteor(), ["METEOR"]),
                              (Rouge(), ["ROUGE_L"]), (Cider(), ["CIDEr"])):
            try:
                score, scores = scorer.compute_score(gts, res)
            except FileNotFoundError as problem:
                self.problems.append(str(problem))
                continue
            several = len(names) > 1
            for name, corpus, of_images in zip(names, score if several else [score], scores if several else [scores]):
                self.eval[name] = corpus
                for image, value in zip(gts, of_images):
                    self.imgToEval[image][name] = value
        self.evalImgs = list(self.imgToEval.values())
