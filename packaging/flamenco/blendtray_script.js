// SPDX-License-Identifier: GPL-3.0-or-later
//
// A job type of Flamenco 3: a Python script that runs in warm Blenders, once or once for each item of a
// list. Put this file into the folder "scripts" beside Flamenco's manager. Only workers of Blendtray
// ("blendtray flamenco worker") take its tasks.

const JOB_TYPE = {
    label: "Blendtray: script",
    description: "Run a Python script in warm Blenders, each time in a Blender in which nothing has run.",
    settings: [
        { key: "script", type: "string", subtype: "file_path", required: true,
          description: "The script, on storage that all workers have" },
        { key: "each", type: "string", default: "",
          description: "Run it once for each of these, such as oak, ash, elm; empty to run it once" },
        { key: "arguments", type: "string", default: "",
          description: "Its arguments, which it finds after -- in sys.argv; {item} stands for the item of the list" },
        { key: "on_this_file", type: "bool", default: true,
          description: "Begin with this .blend file; otherwise with a fresh scene" },
        { key: "frames", type: "string", default: "",
          description: "Render these frames of what the script leaves, such as 1-24; empty for none" },
        { key: "time_limit", type: "float", default: 0.0, propargs: { min: 0.0 },
          description: "End a run after so many seconds; 0 for the limit of the worker" },
        { key: "blender", type: "string", default: "", visible: "submission",
          description: "The Blender of the workers, such as 4.5; empty for the Blender that each has chosen" },
        { key: "blendfile", type: "string", required: true, visible: "web",
          description: "The .blend file" },
    ],
};

function compileJob(job) {
    const settings = job.settings;
    const items = (settings.each || "").split(",").map(item => item.trim()).filter(item => item);
    const name = path.stem(settings.script);
    for (const item of items.length ? items : [""]) {
        const task = author.Task(item ? `${name}-${item}` : name, "blendtray");
        task.addCommand(author.Command("blendtray-script", {
            script: settings.script,
            args: shellSplit(settings.arguments || "").map(arg => arg.split("{item}").join(item)),
            scene: settings.on_this_file ? settings.blendfile : "",
            frames: settings.frames || "",
            seconds: settings.time_limit || 0,
            blender: settings.blender || "",
        }));
        job.addTask(task);
    }
}
