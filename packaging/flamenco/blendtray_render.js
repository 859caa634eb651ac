// SPDX-License-Identifier: GPL-3.0-or-later
//
// A job type of Flamenco 3: frames of a .blend, rendered by warm Blenders. Put this file into the folder
// "scripts" beside Flamenco's manager. Only workers of Blendtray ("blendtray flamenco worker") take its tasks.

const JOB_TYPE = {
    label: "Blendtray: render",
    description: "Render frames in warm Blenders. A render goes on with the missing frame when Blender dies.",
    settings: [
        { key: "frames", type: "string", required: true,
          eval: "f'{C.scene.frame_start}-{C.scene.frame_end}'",
          evalInfo: { showLinkButton: true, description: "The frames of the scene" },
          description: "The frames, such as 47, 1-30 or 1-30, 47" },
        { key: "chunk_size", type: "int32", default: 5, propargs: { min: 1 }, visible: "submission",
          description: "How many frames a worker renders in one task" },
        { key: "render_output", type: "string", subtype: "hashed_file_path", required: true,
          eval: "bpy.path.abspath(C.scene.render.filepath) if '#' in C.scene.render.filepath else bpy.path.abspath(C.scene.render.filepath) + '######'",
          description: "Where the pictures go, on storage that all workers have; # stands for a digit of the frame" },
        { key: "render_engine", type: "string", default: "",
          description: "CYCLES, BLENDER_EEVEE, BLENDER_WORKBENCH or another engine; empty for that of the scene" },
        { key: "format", type: "string", default: "",
          description: "PNG, JPEG, OPEN_EXR or another format; empty for that of the scene" },
        { key: "blender", type: "string", default: "", visible: "submission",
          description: "The Blender of the workers, such as 4.5; empty for the Blender that each has chosen" },
        { key: "blendfile", type: "string", required: true, visible: "web",
          description: "The .blend file" },
    ],
};

function compileJob(job) {
    const settings = job.settings;
    for (const chunk of frameChunker(settings.frames, settings.chunk_size)) {
        const task = author.Task(`render-${chunk}`, "blendtray");
        task.addCommand(author.Command("blendtray-render", {
            scene: settings.blendfile,
            frames: chunk,
            engine: settings.render_engine || "",
            output: settings.render_output,
            format: settings.format || "",
            blender: settings.blender || "",
        }));
        job.addTask(task);
    }
}
