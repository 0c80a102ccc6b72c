"""`python -m benchmarks NAME…`; see `benchmarks.speed.runner`."""

from benchmarks.speed.runner import main

if __name__ == "__main__":
    main()
