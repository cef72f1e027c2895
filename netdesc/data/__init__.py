"""What is trained on: readers of files, their checks, encodings, augmentation, and batches."""
