"""Router of the dashboards: resolves the publication once per run, shows one page, turns errors into sentences."""

from __future__ import annotations

import logging

import streamlit as st

from dashboards.components import empty_state, failure_state, style
from dashboards.loading import begin_run, settings_of_run
from storage.errors import ConfigError, NotPublishedError, OtifError

LOGGER = logging.getLogger(__name__)

st.set_page_config(page_title="otif control tower", page_icon=":material/local_shipping:", layout="wide")

page = st.navigation(
    {
        "Measure": [
            st.Page("app_pages/snapshot.py", title="Snapshot", icon=":material/monitoring:", default=True),
            st.Page("app_pages/exceptions.py", title="Exceptions", icon=":material/priority_high:"),
            st.Page("app_pages/at_risk.py", title="At risk", icon=":material/hourglass_top:"),
            st.Page("app_pages/scorecards.py", title="Scorecards", icon=":material/timer:"),
            st.Page("app_pages/stock.py", title="Stock", icon=":material/inventory_2:"),
            st.Page("app_pages/order.py", title="Order", icon=":material/receipt_long:"),
            st.Page("app_pages/passport.py", title="Passport", icon=":material/fingerprint:"),
        ],
        "Decide": [
            st.Page("app_pages/scenarios.py", title="Scenarios", icon=":material/alt_route:"),
            st.Page("app_pages/disputes.py", title="Disputes", icon=":material/gavel:"),
        ],
        "Trust": [st.Page("app_pages/data_health.py", title="Data health", icon=":material/verified:")],
    }
)

style()
try:
    begin_run()
    st.sidebar.caption(settings_of_run().company.name)
    page.run()
except ConfigError as error:
    empty_state("No workspace here", str(error), "otif init my-company\notif --home my-company serve")
except NotPublishedError as error:
    empty_state("Nothing is published yet", str(error), "otif ingest\notif build")
except OtifError as error:
    LOGGER.warning("page failed: page=%s error=%s", page.title, error)
    failure_state(str(error))
