"""Run by Alembic: takes the steps on the connection that `Database.migrate` hands over."""

from alembic import context

from shipline.server.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False
)
context.run_migrations()
