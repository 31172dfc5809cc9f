# The stages of dvc.yaml for Snakemake, which runs them in parallel on one machine or on a cluster.
#
#   snakemake                                        the same results as `dvc repro`, on this machine
#   snakemake ablation --profile workflow/profiles/slurm   the paper's ablation table, a job for each stage of each run
#   snakemake reports/demos.html                     one report
#
# Like DVC it only calls `rsis <stage>`. workflow/README.md explains what to edit for a cluster.


configfile: "params.yaml"


# An image for all jobs, with `--sdm apptainer`; without `--config container=...` there is none.
container: config.get("container")


include: "workflow/rules/graph.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/reports.smk"


report: "workflow/report/workflow.rst"


localrules:
    all,
    ablation,
    download,
    report,
    comparison,


onstart:
    show_sources(workflow.dag)


rule all:
    default_target: True
    input:
        [f"reports/{run}.html" for run in PARAMS.default.runs],


rule ablation:
    input:
        "reports/ablation.html",
