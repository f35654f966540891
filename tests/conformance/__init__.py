"""Conformance: scenarios recorded from Erlang/OTP, run on this project's node, compared observation by observation."""
