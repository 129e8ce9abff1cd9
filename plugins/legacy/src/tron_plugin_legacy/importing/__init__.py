"""Taking over the database and the files of a discord-tron-master: ``tron import-upstream``."""
