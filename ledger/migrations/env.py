"""Run the migrations on the connection that `ledger.migrate` hands over."""

from alembic import context

config = context.config
context.configure(connection=config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
