"""The scripts beside the records need programs that the tests do not, so pytest shall not import them."""

collect_ignore_glob = ["make_*.py"]
