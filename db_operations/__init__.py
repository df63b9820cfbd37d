"""SQL: one function a statement, takes ``conn``, never commits. psycopg2 is named only here."""
