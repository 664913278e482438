"""Commands about what is installed: models, doctor."""

import argparse


def models_command(args: argparse.Namespace) -> int:
    from ...common.model_folder import describe_models

    print(describe_models())
    return 0


def doctor_command(args: argparse.Namespace) -> int:
    from ..doctor import examine, report

    findings = examine()
    print(report(findings))
    return 1 if any(finding.mend for finding in findings) else 0
