"""Records scenarios with a real Erlang/OTP. Used by hand only; needs ``erl``, ``erlc`` and a C compiler."""
