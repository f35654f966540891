"""Tests of the OTP layer."""
