"""What the augmentations of `stemtune.data.augment` do to a sound: pure functions of what was drawn."""
