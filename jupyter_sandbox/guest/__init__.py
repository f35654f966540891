"""The program inside a sandbox's OS process: requests in, answers and pictures out, one node in between."""
