// With this file in the package, the compiler takes setLanguage without a body: the linker finds it in Fyne.
