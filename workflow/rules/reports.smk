# Reports that compare our results with published ones: one for each run, and one for each comparison in params.yaml.


rule report:
    input:
        lambda wildcards: scored(wildcards.run),
        sources("data/readers", "eval/truths", "report"),
    output:
        "reports/{run}.md",
        report(
            "reports/{run}.html",
            caption="../report/report.rst",
            category="Reports",
            labels={"runs": "{run}"},
        ),
        "reports/{run}.csv",
        directory("reports/{run}"),
    log:
        "logs/report/{run}.log",
    shell:
        "rsis report {wildcards.run} > {log} 2>&1"


# One report on more than one run: a comparison in params.yaml, or the seeds of a run with their mean and deviation.
rule comparison:
    input:
        lambda wildcards: [
            file
            for run in PARAMS.compared[wildcards.comparison]
            for file in scored(run)
        ],
        sources("data/readers", "eval/truths", "report"),
    output:
        "reports/{comparison}.md",
        report(
            "reports/{comparison}.html",
            caption="../report/report.rst",
            category="Reports",
            labels={"runs": "{comparison}"},
        ),
        "reports/{comparison}.csv",
        directory("reports/{comparison}"),
    log:
        "logs/report/{comparison}.log",
    wildcard_constraints:
        comparison=any_of(PARAMS.compared),
    params:
        tracked=lambda wildcards: PARAMS.compared[wildcards.comparison],
    shell:
        "rsis report {wildcards.comparison} > {log} 2>&1"
