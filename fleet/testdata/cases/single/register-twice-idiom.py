# expect: executed 7 and FINISHED, each time
import bpy


class CASE_PG_settings(bpy.types.PropertyGroup):
    count: bpy.props.IntProperty(default=3)


class CASE_OT_count(bpy.types.Operator):
    bl_idname = "case.count"
    bl_label = "Count"

    def execute(self, context):
        print("executed", context.scene.case_settings.count)
        return {"FINISHED"}


def register():
    for cls in (CASE_PG_settings, CASE_OT_count):
        bpy.utils.register_class(cls)
    bpy.types.Scene.case_settings = bpy.props.PointerProperty(type=CASE_PG_settings)


if __name__ == "__main__":
    register()
    bpy.context.scene.case_settings.count = 7
    print(bpy.ops.case.count())
