#!/usr/bin/env bash
# kill -9 of a random rank at a random moment, many times in one run: it ends with the bytes of an undisturbed one.
# Moments are drawn from the seed: while the job starts, so and so many steps later, while an epoch
# is evaluated.
# shellcheck source=tests/support/fault_lib.sh
. "$(dirname "$0")/../support/fault_lib.sh"
draw_sample 48    # 240 captions, 20 steps an epoch
ranks=3 micro=2
kills=$(by_form 6 20)
options=(--epochs $((kills / 2 + 2)) --checkpoint-every 3 --keep 2 --num-beams 16 --eval-batch 1)

new_case "undisturbed"
train $ranks "$scratch/whole" "${options[@]}"
exits 0

# step of the newest checkpoint that is published
newest_step() {
    local found
    found=$(find "$1/checkpoints" -name manifest.json 2>/dev/null | sort | tail -n 1)
    [ -n "$found" ] || found=step-0/
    sed -E 's/.*step-0*([0-9]+).*/\1/' <<<"$found"
}
steps_logged() { cat "$1/log.jsonl" 2>/dev/null | grep -c '"kind":"step"'; }
started() { [ -n "$(rank_of "$job" 0)" ]; }
reached() { [ "$(steps_logged "$out")" -ge "$1" ]; }

new_case "kill -9 of a random rank at a random moment, $kills times in one run (seed $seed)"
out=$scratch/killed
killed=0
: >"$scratch/moments"
for ((at = 1; at <= kills; ++at)); do
    before=$(steps_logged "$out")
    drawn 0 3
    kind=$draw
    drawn 0 $((ranks - 1))
    rank=$draw
    start_train $ranks "$out" "${options[@]}"
    if [ "$kind" = 0 ]; then    # anywhere from exec to the first steps
        drawn 0 1500
        wait_for 60 started
        sleep "$((draw / 1000)).$(printf %03d $((draw % 1000)))"
        moment="$draw ms after its start"
    else
        drawn 1 8
        wait_for 60 reached $((before + draw))
        moment="after $draw of its steps or a few more"
        drawn 0 40
        sleep "0.$(printf %03d "$draw")"
    fi
    wait_for 60 started
    victim=$(rank_of "$job" "$rank")
    if [ -n "$victim" ] && kill -9 "$victim" 2>/dev/null; then killed=$((killed + 1)); fi
    finish_job 30
    [ "$status" = 137 ] || fail "kill $at, rank $rank, $moment: exit $status"
    echo "rank $rank, $moment: newest checkpoint then that of step $(newest_step "$out")" >>"$scratch/moments"
    [ "$case_ok" = 1 ] || break
done
is $killed "$kills" "kills"
sed 's/^/  /' "$scratch/moments"
train $ranks "$out" "${options[@]}"
exits 0
same_weights "$out" "$scratch/whole"
same_losses 0 "$out" "$scratch/whole"
for file in "$scratch"/whole/result/*.json; do same_file "$file" "$out/result/${file##*/}" "captions"; done
log_query "assert sum(e['kind'] in ('run', 'resume') for e in events[0]) <= $kills + 1" "$out"
summary
