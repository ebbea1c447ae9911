"""Caption metrics with pycocoevalcap's names and results, without Java: BLEU, METEOR, ROUGE-L and CIDEr.

    from blip_score.bleu import Bleu
    score, scores = Bleu(4).compute_score(gts, res)
"""
