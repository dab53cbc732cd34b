from django.apps import AppConfig


class MlWorkerConfig(AppConfig):
    name = "ml_worker"
    verbose_name = "What machines do"

    def ready(self) -> None:
        from ml_worker import checks  # noqa: F401  (registers them)
