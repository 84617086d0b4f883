"""The ledger: the common record of all nodes of a cluster and of all registrations in it.

Terms that the modules of this package use:

- A *node* is a process that takes part in the cluster. Its node id is random and never used again.
- A *member* is a node in the ledger. It has a *lease*, which ends if the member does not renew it. When a lease has
  ended, the next renewal of any other member removes this member.
- A *row* describes one registration, or one callee of a registration. A node's *own* rows are those of its callees.
- The *log* is a stream with one *entry* for each change of the ledger. Every node reads it, and so keeps a copy of the
  ledger, the *table*. A *snapshot* is the content of the ledger at one moment.
- An *operation* is a change or query that runs as one atomic step: ``join``, ``renew``, ``register``, ``unregister``,
  ``restate``, ``purge`` and ``leave``. The modules :mod:`.scripts` (Redis) and :mod:`.memory` carry out the same
  operations.
- Each node numbers its *changes*, which are ``register``, ``unregister`` and ``restate``. The ledger carries out a
  change only if its number follows the last one. Otherwise a change was lost, or the ledger is an older copy, and the
  node must *restate* its rows.
- The ledger has an id. A new id means that the content of the ledger was lost. Then the ledger *settles* for a few
  seconds: nodes restate their rows, and new registrations wait.
"""
