"""capevalkit's Python interface with `blip_mpi score` as a metric. Called by tests/end_to_end/capevalkit.sh in the Python of
env/capevalkit.sh:

capevalkit_runs.py evaluate CAPTIONS OUT      evaluate_captions writes its files to OUT and starts the metric; CAPTIONS is what
                                              make_sample drew, in COCO's form. Each image's first caption is the prediction
capevalkit_runs.py flickr CAPTIONS DATA       the same captions as capevalkit's benchmark flickr8k-ex, rated by drawn numbers
capevalkit_runs.py tau RESULT SCORES DATA     the benchmark's RESULT has the scores of `blip_mpi score --output SCORES`, and
                                              Kendall's tau-c of these and the ratings, counted pair by pair
capevalkit_runs.py same A B EACH CORPUS IMAGE SHARE   two outputs have the same metrics and ids, their scores differ by EACH at
                                              most; METEOR's by CORPUS, and those of SHARE of the ids by IMAGE
"""
import itertools
import json
import pathlib
import random
import sys

ODD_IDS = '0007', '1.0', '391895_0', 'COCO_val2014_000000000042.jpg_3', 'a/b c', 'Kätzchen', '1e3', '18446744073709551617'
ODD_CAPTIONS = 'A  dog\truns\u00a0on', 'd\'Artagnan\'s "can\'t"!', 'Kätzchen 😀 sitzt', 'the 3.5 km (2nd) run...', 'two\nlines', ''


def captions_by_image(path):
    groups = {}
    for row in json.loads(pathlib.Path(path).read_text())['annotations']:
        groups.setdefault(row['image_id'], []).append(row['caption'])
    return groups


def evaluate(captions, out):
    import capevalkit.api

    pairs = [{'id': f'{image:06d}' if image % 2 else image, 'image': f'COCO_val2014_{image:012d}.jpg', 'caption': own[0], 'references': own[1:]}
             for image, own in captions_by_image(captions).items()]
    for number, name in enumerate(ODD_IDS):
        caption = ODD_CAPTIONS[number % len(ODD_CAPTIONS)]
        # a picture that is another's: the id alone counts
        pairs.append({'id': name, 'image': pairs[0]['image'], 'caption': caption, 'references': [pairs[number]['caption'], caption + ' again']})
    found = capevalkit.api.evaluate_captions(pairs=pairs, metrics=['blip_mpi'], output_dir=out)['blip_mpi']
    ids = [str(pair['id']) for pair in pairs]
    assert all(list(metric['per_item']) == ids for metric in found.values()), found
    print(len(ids), 'ids,', ', '.join(found))


def flickr(captions, data):
    folder = pathlib.Path(data) / 'flickr8k'
    folder.mkdir(parents=True)
    groups, draw = captions_by_image(captions), random.Random(5)
    records = {}
    for image, own in groups.items():
        judged = [{'caption': caption, 'rating': draw.randint(1, 4)} for caption in (own[0], groups[draw.choice(list(groups))][1])]
        records[str(image)] = {'image_path': f'images/{image}.jpg', 'ground_truth': own[1:], 'human_judgement': judged}
    (folder / 'flickr8k.json').write_text(json.dumps(records))


def tau(result, scores, data):
    result, scores = (json.loads(pathlib.Path(name).read_text()) for name in (result, scores))
    ratings = {f'{image}_{number}': judged['rating']
               for image, record in json.loads((pathlib.Path(data) / 'flickr8k/flickr8k.json').read_text()).items()
               for number, judged in enumerate(record['human_judgement'])}
    assert result['score_name'] == 'CIDEr' and result['num_samples'] == len(ratings), result
    per_item = result['raw_metric_output']['CIDEr']['per_item']
    values = {name: item['score'] for name, item in per_item.items()}
    assert values == scores['CIDEr']['per_item'], 'other scores'
    assert {name: item['ground_truth_score'] for name, item in per_item.items()} == ratings
    sign = lambda a, b: (a > b) - (a < b)
    surplus = sum(sign(values[a], values[b]) * sign(ratings[a], ratings[b]) for a, b in itertools.combinations(ratings, 2))
    distinct = min(len(set(values.values())), len(set(ratings.values())))
    expected = 100 * surplus / (len(ratings) ** 2 * (distinct - 1) / (2 * distinct))
    assert abs(result['correlations']['kendall_tau_c'] - expected) < 1e-9, (result['correlations'], expected)
    print('tau-c', expected)


def same(a, b, each, *of_meteor):
    a, b = (json.loads(pathlib.Path(name).read_text()) for name in (a, b))
    assert a.keys() == b.keys(), (a.keys(), b.keys())
    for metric in a:
        mine, theirs = a[metric]['per_item'], b[metric]['per_item']
        assert mine.keys() == theirs.keys(), mine.keys() ^ theirs.keys()
        of_corpus, of_image, share = map(float, of_meteor if metric == 'METEOR' else (each, each, 1))
        corpus, apart = abs(a[metric]['score'] - b[metric]['score']), [abs(mine[name] - theirs[name]) for name in mine]
        print(f'{metric}: {a[metric]["score"]:.6f}, {corpus:.1e} apart, of {len(apart)} ids {max(apart):.1e} at most')
        assert corpus <= of_corpus and sum(value <= of_image for value in apart) >= share * len(apart), metric


{'evaluate': evaluate, 'flickr': flickr, 'tau': tau, 'same': same}[sys.argv[1]](*sys.argv[2:])
