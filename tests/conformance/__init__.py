"""Conformance: scenarios recorded from Erlang/OTP, run on this project's node and compared observation by observation."""
