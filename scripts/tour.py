"""A walk through the main path, on the real programs, with real answers.

    scripts/tour.py                    free ports, a temporary folder, exit status 0 if all held
    scripts/tour.py --stay --data DIR  fixed ports, keeps its data, stays up until Ctrl-C

`make tour` and `make run` build the programs first and call this with the Python that has the
official OpenAI SDK.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading

from tour_steps import CHAT_MODEL, Stopped, Tour, describe
from tour_world import TourError


def what_next(tour):
    operator_file = os.path.join(tour.data_dir, "operator-token")
    zaxon = tour.token_file("zaxon")
    print(f"""
Everything is up. To go on, in another terminal in this folder (copy, paste):

    export DIAMOND_URL={tour.url}
    export PATH="{os.path.abspath(tour.bin_dir)}:$PATH"

    # as the tenant zaxon
    export DIAMOND_TOKEN=$(cat {zaxon})
    diamond ai keys:get openai zaxon
    diamond ai costs:analyze --tenant zaxon --period daily
    diamond ai usage:list --tenant zaxon --limit 5
    curl -s $DIAMOND_URL/gateway/openai/v1/chat/completions -H "authorization: Bearer $DIAMOND_TOKEN" \\
        -H 'content-type: application/json' \\
        -d '{{"model":"{CHAT_MODEL}","messages":[{{"role":"user","content":"Hello"}}]}}'
    curl -s "$DIAMOND_URL/api/analytics/tpc/zaxon?period=daily" -H "authorization: Bearer $DIAMOND_TOKEN"

    # as the operator
    export DIAMOND_TOKEN=$(cat {operator_file})
    diamond admin tenant:list
    diamond admin audit:verify
    diamond admin alarms:list

    # the provider's own bill
    curl -s "{tour.sim_url}/_sim/bill?service=openai"

Ctrl-C stops it. Data stays in {tour.folder}; the next `make run` finds it.""", flush=True)


def stay_up(tour, stopping):
    while not stopping.wait(timeout=1):
        for program in tour.programs:
            if program.process.poll() is not None:
                raise TourError(f"{program.name} has ended by itself; {program.last_words()}")


def main():
    parser = argparse.ArgumentParser(description="A walk through the main path.")
    parser.add_argument("--stay", action="store_true", help="stay up until Ctrl-C")
    parser.add_argument("--data", help="where the data lives (else a temporary folder)")
    parser.add_argument("--listen", help="where the server listens (else a free port)")
    parser.add_argument("--sim-listen", help="where the simulator listens (else a free port)")
    parser.add_argument("--bin-dir", default="target/debug", help="where the programs are")
    options = parser.parse_args()
    # The SDK must not send loopback calls through a proxy of the surroundings.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

    stopping = threading.Event()
    walking = True

    def stop(_signal, _frame):
        first = not stopping.is_set()
        stopping.set()
        if walking and first:
            raise Stopped

    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, stop)

    folder = options.data or tempfile.mkdtemp(prefix="diamond-tour-")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    tour = Tour(options, folder)
    failure = None
    keep = bool(options.data)
    try:
        tour.walk()
        walking = False
        if options.stay:
            what_next(tour)
            stay_up(tour, stopping)
    except Stopped:
        if not options.stay:
            failure = "stopped before the end"
    except TourError as error:
        failure = describe(error)
        keep = True
    finally:
        # A second Ctrl-C does not leave the programs behind half stopped.
        walking = False
        print("\nStopping: the server drains first.", flush=True)
        try:
            tour.stop()
        except TourError as error:
            failure = f"{failure}\n{error}" if failure else f"stopping failed: {error}"
    if failure:
        print(f"\nFAILED: {failure}", file=sys.stderr)
        if keep:
            print(f"The data and logs of this run are in {folder}", file=sys.stderr)
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    if failure:
        sys.exit(1)
    print("Stopped." if options.stay else "Every step held.", flush=True)


if __name__ == "__main__":
    main()
