#!/bin/sh
# Ask about several videos on the command line, and go on with the JSON: a line for each, "name TAB status TAB start TAB
# answer", which sort, join or a spreadsheet can take. The exit code tells "not found" (0) from a video that cannot be
# read (3), and a budget that ended the search (5) still has an answer.
#
#     sh examples/clients/pipeline.sh 'When does the text "GATE 7" appear?' videos/*.mp4 | sort -k 3
#
# Needs `pip install .` and jq.
set -u

question=$1
shift
for video in "$@"; do
    answer=$(vidagent ask "$video" "$question" --json --quiet)
    code=$?
    case $code in
        0 | 5) printf %s "$answer" | jq -r '[.video.path, .status, (.spans[0].start_s // "-"), .answer] | @tsv' ;;
        *) printf '%s\tfailed\t-\texit code %s\n' "$video" "$code" ;;
    esac
done
