"""``python -m ssm_teach`` is ``ssm-teach``."""

from .cli import main

if __name__ == "__main__":
    main()
