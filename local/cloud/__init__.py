"""The real template on one machine: MiniStack as the cloud, functions in processes of their own, roles enforced.

``python -m local.cloud up | down``; tests and the demo use :func:`local.cloud.running.running`.
"""
