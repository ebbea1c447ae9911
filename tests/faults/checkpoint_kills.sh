#!/usr/bin/env bash
# test: quick
# kill -9 at the system calls of a checkpoint, from the start of the process to its end: afterwards there is the old
# checkpoint or the new one, never neither, and the same command ends with an undisturbed run's bytes. One rank with strace,
# two ranks with file_faults.cpp. The short form draws some of the calls, the long one takes all.
# shellcheck source=tests/support/fault_lib.sh
. "$(dirname "$0")/../support/fault_lib.sh"
draw_sample 12
micro=6
options=(--no-evaluate --epochs 1 --checkpoint-every 1 --keep 1)
end=4    # steps

for ranks in 1 2; do
    new_case "undisturbed, $ranks rank(s): a checkpoint after every step"
    train $ranks "$scratch/base$ranks" "${options[@]}" --max-steps 2
    exits 0
    whole_checkpoint "$scratch/base$ranks" 2 || fail "no checkpoint of step 2"
    cp -r "$scratch/base$ranks" "$scratch/whole$ranks"
    train $ranks "$scratch/whole$ranks" "${options[@]}" --max-steps $end
    exits 0; says "resuming after step 2"
done

# old_or_new FOLDER...: each holds the checkpoint of step 2 or one after it, intact
old_or_new() {
    printf '%s\n' "$@" | "$newest_state" >"$scratch/.states" 2>/dev/null
    is "$(wc -l <"$scratch/.states")" $# "folders examined"
    is "$(grep -cE '^\{"best":null,"step":[234]\}$' "$scratch/.states")" $# "folders with a good checkpoint"
    paste -d ' ' <(printf '%s\n' "$@") "$scratch/.states" | grep -vE '"step":[234]\}$' >>"$scratch/.checks"
    echo "  newest afterwards: $(grep -o '"step":[0-9]*' "$scratch/.states" | sort | uniq -c | sed -E 's/ *([0-9]+) "step":(.*)/\1 times step \2/' | paste -sd ,)"
}
# goes_on RANKS FOLDER...: to the undisturbed end
goes_on() {
    local folder ranks=$1
    shift
    for folder; do
        train "$ranks" "$folder" "${options[@]}" --max-steps $end
        exits 0
        same_weights "$folder" "$scratch/whole$ranks"
    done
}
some() { by_form "$(shuf -n 2 --random-source=<(yes "$seed") -e -- "$@")" "$(printf '%s\n' "$@")"; }

new_case "strace, one rank: killed before $(by_form "system calls drawn of every kind" "every system call")"
mkdir "$scratch/strace"
run python3 "$root/tests/faults/files/strace_kills.py" "$scratch/strace" "$scratch/base1" --seed "$seed" --draw "$(by_form 14 0)" -- \
    "$blip" train --data "$data" --output "{}" "${small[@]}" --micro-batch $micro "${options[@]}" --max-steps 3
if [ $status = 75 ]; then
    skip_case "strace may not trace here"
else
    exits 0
    says " 0 without a kill"
    echo "  $(tail -n 1 "$output") (seed $seed)"
    old_or_new "$scratch"/strace/killed-*
    # The locks name processes of another namespace, whose numbers mean others here: their owners could be alive.
    rm -f "$scratch"/strace/killed-*/.run-lock.*
    # shellcheck disable=SC2046
    goes_on 1 $(some "$scratch"/strace/killed-*)
fi

for rank in 0 1; do
    new_case "two ranks: rank $rank killed before $(by_form "drawn operations" "every operation") on its files"
    cp -r "$scratch/base2" "$scratch/count$rank"
    faulty_train 2 "$scratch/count$rank" "LOG=$scratch/count$rank.log" RANK=$rank -- "${options[@]}" --max-steps 3
    exits 0
    count=$(wc -l <"$scratch/count$rank.log")
    [ "$count" -ge 10 ] || fail "only $count operations were counted"
    moments=$(by_form "$(shuf -n 4 --random-source=<(yes "$seed") -i "1-$count")" "$(seq "$count")")
    for at in $moments; do
        cp -r "$scratch/base2" "$scratch/killed$rank-$at"
        faulty_train 2 "$scratch/killed$rank-$at" KILL="$at" RANK=$rank -- "${options[@]}" --max-steps 3
        # before operation $at it dies; nobody goes on without it
        [ $status = 137 ] || fail "operation $at: exit $status"
    done
    echo "  $(wc -w <<<"$moments") of $count operations (seed $seed)"
    old_or_new "$scratch/killed$rank"-*
    # shellcheck disable=SC2046
    goes_on 2 $(some "$scratch/killed$rank"-*)
done
summary
