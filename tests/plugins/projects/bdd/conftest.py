def pytest_bdd_step_error(request, feature, scenario, step, step_func, step_func_args, exception):
    print("step failed:", step.name)
