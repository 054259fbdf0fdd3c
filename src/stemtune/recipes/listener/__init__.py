"""Our own listener: VGGish's front end and a small network that tells instruments, stems and singing apart.

Paper: none; Hershey et al., "CNN architectures for large-scale audio classification", 2017, for the front end.
Expected: the accuracies in the card of the listener that ships, on real solos, dry stems and amateur singers from
    sources that it did not learn from. They are far below what public weights trained on millions of videos reach.
Cost: three minutes of one core and 3 GB for the corpus, and eight minutes of one core for training.
Run: ``python -m stemtune.recipes.listener.corpus --data ../shared/data --out corpora/listener`` and then
    ``python -m stemtune.recipes.listener.release --data ../shared/data``.
Deviations: a hundredth of VGGish's size; labels are the project's own.

Reading order: `corpus`, `training`, `release`.
"""
