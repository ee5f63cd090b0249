"""AWS list prices in US dollars, us-east-1, as known in November 2026, from the services' pricing pages; no discounts.

Free allowances are not taken off, but named where they are large beside what is bought here.
"""

from __future__ import annotations

MONTH_HOURS = 730.0
DATE = "2026-11"

#: One request, by service and, where that matters, kind.
REQUEST = {
    "lambda": 0.20e-6,
    "s3 write": 5.00e-6,  # PUT, COPY, POST, LIST
    "s3 read": 0.40e-6,  # GET, HEAD
    "s3 delete": 0.0,
    "sqs": 0.40e-6,  # to 64 KB; the first million a month is free
    "events": 1.00e-6,
    "scheduler": 1.00e-6,  # the first 14 million a month are free
    "secretsmanager": 5.00e-6,
}
DYNAMODB_WRITE = 0.625e-6  #: a unit of 1 KB on demand; in a transaction two
DYNAMODB_READ = 0.125e-6  #: a unit of 4 KB on demand; half of one where it may be late
LAMBDA_GB_SECOND = 13.3334e-6  #: arm64
LAMBDA_DISK_GB_SECOND = 0.0309e-6  #: of EphemeralStorage above 512 MB
LOGS_GB = 0.50
SECRET_MONTH = 0.40
METRIC_MONTH = 0.30  #: by the hour; the first ten are free
ALARM_MONTH = 0.10  #: the first ten are free
INTERNET_GB = 0.09  #: out of AWS; the first 100 GB a month are free
