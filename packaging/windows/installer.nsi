; The installer for Windows: for one user, without an administrator. scripts/package.sh runs it
; with VERSION, NUMBERS, SOURCE (the folder with the files) and OUTPUT.

; As the programs are; Wine without 32-bit parts can run it, too.
Target amd64-unicode
Unicode true
SetCompressor /SOLID lzma
SetDateSave off
Name "Blendtray"
OutFile "${OUTPUT}"
RequestExecutionLevel user
InstallDir "$LOCALAPPDATA\Programs\Blendtray"
InstallDirRegKey HKCU "Software\Blendtray" "Folder"
ManifestDPIAware true
BrandingText "Blendtray ${VERSION}"
VIProductVersion "${NUMBERS}"
VIAddVersionKey "ProductName" "Blendtray"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "FileDescription" "Blendtray installer"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "LegalCopyright" "GPL-3.0-or-later"

!include MUI2.nsh
!include LogicLib.nsh
!define MUI_ICON "${SOURCE}\app.ico"
!define MUI_UNICON "${SOURCE}\app.ico"
!define MUI_FINISHPAGE_RUN "$INSTDIR\blendtrayw.exe"
!define MUI_FINISHPAGE_RUN_TEXT "Start Blendtray"
!insertmacro MUI_PAGE_LICENSE "${SOURCE}\LICENSE.txt"
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_COMPONENTS
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

!define UNINSTALL "Software\Microsoft\Windows\CurrentVersion\Uninstall\Blendtray"

; A program that runs can't be replaced: the engine is asked to end, then the tray is ended.
!macro EndRunning
  ${If} ${FileExists} "$INSTDIR\blendtray.exe"
    nsExec::Exec '"$INSTDIR\blendtray.exe" service stop'
    nsExec::Exec 'taskkill.exe /IM blendtrayw.exe'
    Sleep 2000
    nsExec::Exec 'taskkill.exe /F /IM blendtrayw.exe'
  ${EndIf}
!macroend

Section "Blendtray" SectionProgram
  SectionIn RO
  !insertmacro EndRunning
  SetOutPath "$INSTDIR"
  File "${SOURCE}\blendtray.exe"
  File "${SOURCE}\blendtrayw.exe"
  File "${SOURCE}\LICENSE.txt"
  File "${SOURCE}\README.txt"
  CreateShortCut "$SMPROGRAMS\Blendtray.lnk" "$INSTDIR\blendtrayw.exe"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  WriteRegStr HKCU "Software\Blendtray" "Folder" "$INSTDIR"
  WriteRegStr HKCU "${UNINSTALL}" "DisplayName" "Blendtray"
  WriteRegStr HKCU "${UNINSTALL}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${UNINSTALL}" "DisplayIcon" "$INSTDIR\blendtrayw.exe"
  WriteRegStr HKCU "${UNINSTALL}" "Publisher" "The Blendtray authors"
  WriteRegStr HKCU "${UNINSTALL}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${UNINSTALL}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${UNINSTALL}" "NoModify" 1
  WriteRegDWORD HKCU "${UNINSTALL}" "NoRepair" 1
SectionEnd

Section /o "Start at login" SectionLogin
  WriteRegStr HKCU "Software\Microsoft\Windows\CurrentVersion\Run" "Blendtray" '"$INSTDIR\blendtrayw.exe"'
SectionEnd

Section "Uninstall"
  !insertmacro EndRunning
  nsExec::Exec '"$INSTDIR\blendtray.exe" service uninstall'
  Delete "$INSTDIR\blendtray.exe"
  Delete "$INSTDIR\blendtrayw.exe"
  Delete "$INSTDIR\LICENSE.txt"
  Delete "$INSTDIR\README.txt"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\Blendtray.lnk"
  DeleteRegKey HKCU "${UNINSTALL}"
  DeleteRegKey HKCU "Software\Blendtray"
  DeleteRegValue HKCU "Software\Microsoft\Windows\CurrentVersion\Run" "Blendtray"
  ; Settings and runs stay: they are the user's.
SectionEnd

LangString AboutProgram ${LANG_ENGLISH} "The tray, the window and the commands."
LangString AboutLogin ${LANG_ENGLISH} "Start the tray when you log in. It can be changed in the tray."
!insertmacro MUI_FUNCTION_DESCRIPTION_BEGIN
  !insertmacro MUI_DESCRIPTION_TEXT ${SectionProgram} $(AboutProgram)
  !insertmacro MUI_DESCRIPTION_TEXT ${SectionLogin} $(AboutLogin)
!insertmacro MUI_FUNCTION_DESCRIPTION_END
