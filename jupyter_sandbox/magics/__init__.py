"""The commands of the notebook: ``%sandbox`` and ``%%sandbox``, their help and completion, and the link to Lab."""
