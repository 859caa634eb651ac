# expect: a RuntimeError, and in it the traceback that names the division's line
import bpy


class CASE_OT_divide(bpy.types.Operator):
    bl_idname = "case.divide"
    bl_label = "Divide"

    def execute(self, context):
        return {"FINISHED"} if 1 / len(()) else {"CANCELLED"}


bpy.utils.register_class(CASE_OT_divide)
bpy.ops.case.divide()
