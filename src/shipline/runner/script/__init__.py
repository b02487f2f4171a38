"""The shell programs that a job's stages run: plain sh that bash runs as well."""
