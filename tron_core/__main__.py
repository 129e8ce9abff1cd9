"""``python -m tron_core`` is the program ``tron``."""

from tron_core.cli import main

if __name__ == "__main__":
    main()
