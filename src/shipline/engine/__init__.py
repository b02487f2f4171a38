"""The pipeline's state machine and what it remembers.

Which job may start, what a finished job changes, and the store that outlives the process. How a job is run
is the runner's business; it is reached only through `shipline.protocol`.

    repository.Repository     the commit; `snapshot` makes one of uncommitted changes
    creation.planned          compiles it and refuses what can't be carried out; `Plan.create` stores the pipeline
    pipelines.Pipelines       everything that can happen to pipelines, each event one transaction
    processing, events        the state machine itself: pure changes of values
    coordinator               hands pending jobs to runners in this process, as payloads (`payload`)
    memory_store, sqlite_store   the two stores behind `store.Store`
"""
