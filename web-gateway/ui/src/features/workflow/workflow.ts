// What can be done to workflows and tasks.
import { ask } from "$/ask.svelte";
import { client } from "$/api/clients";
import { word } from "$/format";
import { type Task, TaskService } from "$/gen/sprout/task/v1/task_pb";
import { type Workflow, WorkflowKind, WorkflowService, WorkflowState } from "$/gen/sprout/workflow/v1/workflow_pb";

export const workflows = client(WorkflowService);
export const tasks = client(TaskService);

export const ended = (workflow: Workflow): boolean => workflow.state >= WorkflowState.SUCCEEDED;

export function cancel(workflow: Workflow): void {
  ask({
    title: `Cancel workflow ${workflow.id}?`,
    text: `Its steps are stopped, and what it (${word(WorkflowKind, workflow.kind)}) did is undone.`,
    action: `Cancel workflow ${workflow.id}`,
    danger: true,
    run: () => workflows.cancelWorkflow({ id: workflow.id }),
  });
}

export function stop(task: Task): void {
  ask({
    title: `Stop task ${task.id}?`,
    text: `${task.step} is tried again from the beginning, as if this try had failed.`,
    action: `Stop task ${task.id}`,
    danger: true,
    run: () => tasks.cancelTask({ id: task.id }),
  });
}
