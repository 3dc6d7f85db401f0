"""Decisions in waiting: allocation plans against their baseline, and the rule changes proposed from them."""

import streamlit as st

st.write("…")
