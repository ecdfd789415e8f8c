--! room: orchestrate/engine
-- By the month of the run, so that a run's entries stand together and go together.
select oars_by_month('journal', 'run_id');
