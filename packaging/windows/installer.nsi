; The installer for Windows: for one user, without an administrator, or with /ALLUSERS for all users of
; the machine. scripts/package.sh runs it with VERSION, NUMBERS, SOURCE (the folder with the files), SETUP
; (the program app/setup) and OUTPUT. docs/packaging.md describes its switches and exit codes.

; As the programs are; Wine without 32-bit parts can run it, too.
Target amd64-unicode
Unicode true
SetCompressor /SOLID lzma
; The two programs are nearly the same bytes, and the second takes nothing where the compressor still sees the first.
SetCompressorDictSize 64
SetDateSave off
Name "Blendtray"
OutFile "${OUTPUT}"
RequestExecutionLevel user
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
!include FileFunc.nsh
!include WordFunc.nsh
!include WinMessages.nsh
!insertmacro GetParameters
!insertmacro GetOptions
!insertmacro VersionCompare

; "ran" when programs were ended, which are started again, else "".
Var Ran
; The folder of the version before, or "".
Var Before
; "machine" for all users, else "".
Var Scope

!define MUI_ICON "${SOURCE}\app.ico"
!define MUI_UNICON "${SOURCE}\app.ico"
!define MUI_FINISHPAGE_RUN
!define MUI_FINISHPAGE_RUN_FUNCTION StartTray
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
!define LOGIN "Software\Microsoft\Windows\CurrentVersion\Run"

; Exit codes of Windows' own installer: a person said no, a newer version is there, an administrator is
; needed, something can't be replaced.
!define CANCELLED 1602
!define FAILED 1603
!define NEWER 1638
!define ELEVATION 740

!macro Switch NAME RESULT
  ${GetParameters} $R0
  ClearErrors
  ${GetOptions} $R0 "${NAME}" $R1
  ${If} ${Errors}
    StrCpy ${RESULT} ""
  ${Else}
    StrCpy ${RESULT} "yes"
  ${EndIf}
!macroend

!macro ForMachine
  SetShellVarContext all
  StrCpy $Scope "machine"
!macroend

; An administrator is needed for what all users share. $R2 is the program that is started again so.
!macro NeedAdministrator PROGRAM SWITCHES
  UserInfo::GetAccountType
  Pop $R1
  ${If} $R1 != "Admin"
    ${IfNot} ${Silent}
      ExecShell "runas" "${PROGRAM}" "${SWITCHES}"
      SetErrorLevel 0
      Quit
    ${EndIf}
    SetErrorLevel ${ELEVATION}
    Quit
  ${EndIf}
!macroend

; Ends what runs from folders, and says in $Ran whether something did. A run may end.
!macro EndRunning FOLDERS
  DetailPrint "Waiting until the run that is running has ended"
  nsExec::ExecToStack '"$PLUGINSDIR\setup.exe" end "$PLUGINSDIR\running.json" ${FOLDERS}'
  Pop $R0
  Pop $Ran
!macroend

; Starts again in a folder what was ended.
!macro StartAgain FOLDER
  ${If} $Ran != ""
    nsExec::ExecToLog '"$PLUGINSDIR\setup.exe" again "$PLUGINSDIR\running.json" "${FOLDER}"'
    Pop $R0
  ${EndIf}
!macroend

Function .onInit
  SetRegView 64
  InitPluginsDir
  !insertmacro Switch "/ALLUSERS" $R2
  ${If} $R2 != ""
    !insertmacro NeedAdministrator "$EXEPATH" "/ALLUSERS"
    !insertmacro ForMachine
  ${EndIf}
  ReadRegStr $Before SHCTX "Software\Blendtray" "Folder"
  ${If} $INSTDIR == ""
    StrCpy $INSTDIR $Before
  ${EndIf}
  ${If} $INSTDIR == ""
    ${If} $Scope == "machine"
      StrCpy $INSTDIR "$PROGRAMFILES64\Blendtray"
    ${Else}
      StrCpy $INSTDIR "$LOCALAPPDATA\Programs\Blendtray"
    ${EndIf}
  ${EndIf}

  Call Choose
  ReadRegStr $R3 SHCTX "${UNINSTALL}" "DisplayVersion"
  ${If} $R3 != ""
    ${VersionCompare} "$R3" "${VERSION}" $R4
    ${If} $R4 == 1
      !insertmacro Switch "/DOWNGRADE" $R2
      ${If} $R2 == ""
        ${If} ${Silent}
          SetErrorLevel ${NEWER}
          Quit
        ${EndIf}
        MessageBox MB_YESNO|MB_ICONQUESTION|MB_DEFBUTTON2 "Version $R3 is installed, which is newer than this one, ${VERSION}. Install the older version? Runs and settings of the newer version may not be understood." IDYES older
        SetErrorLevel ${CANCELLED}
        Quit
        older:
      ${EndIf}
    ${EndIf}
  ${EndIf}
FunctionEnd

Section "Blendtray" SectionProgram
  SectionIn RO
  File "/oname=$PLUGINSDIR\setup.exe" "${SETUP}"
  ${If} $Before == ""
    !insertmacro EndRunning '"$INSTDIR"'
  ${Else}
    !insertmacro EndRunning '"$INSTDIR" "$Before"'
  ${EndIf}
  SetOutPath "$INSTDIR"
  ; Nothing is to be left half: when a program can't be replaced, both stay, and the installation ends
  ; with an error.
  SetOverwrite try
  ; An installation that was cut off may have left old programs: they go where a program is there, too.
  ${If} ${FileExists} "$INSTDIR\blendtray.exe"
    Delete "$INSTDIR\blendtray.exe.old"
    Rename "$INSTDIR\blendtray.exe" "$INSTDIR\blendtray.exe.old"
  ${EndIf}
  ${If} ${FileExists} "$INSTDIR\blendtrayw.exe"
    Delete "$INSTDIR\blendtrayw.exe.old"
    Rename "$INSTDIR\blendtrayw.exe" "$INSTDIR\blendtrayw.exe.old"
  ${EndIf}
  ClearErrors
  File "${SOURCE}\blendtray.exe"
  File "${SOURCE}\blendtrayw.exe"
  ${If} ${Errors}
    ${If} ${FileExists} "$INSTDIR\blendtray.exe.old"
      Delete "$INSTDIR\blendtray.exe"
      Rename "$INSTDIR\blendtray.exe.old" "$INSTDIR\blendtray.exe"
    ${EndIf}
    ${If} ${FileExists} "$INSTDIR\blendtrayw.exe.old"
      Delete "$INSTDIR\blendtrayw.exe"
      Rename "$INSTDIR\blendtrayw.exe.old" "$INSTDIR\blendtrayw.exe"
    ${EndIf}
    DetailPrint "The program in $INSTDIR can't be replaced"
    ; What was ended goes on: the version before is still there.
    ${If} $Before == ""
      !insertmacro StartAgain "$INSTDIR"
    ${Else}
      !insertmacro StartAgain "$Before"
    ${EndIf}
    MessageBox MB_OK|MB_ICONSTOP "The program in $INSTDIR can't be replaced. End it with the Task Manager and try again." /SD IDOK
    SetErrorLevel ${FAILED}
    Abort
  ${EndIf}
  SetOverwrite on
  Delete "$INSTDIR\blendtray.exe.old"
  Delete "$INSTDIR\blendtrayw.exe.old"
  File "${SOURCE}\LICENSE.txt"
  File "${SOURCE}\README.txt"
  File "${SOURCE}\THIRD-PARTY.txt"
  File "${SOURCE}\MINGW-W64.txt"
  File "${SOURCE}\blendtray.cdx.json"
  CreateShortCut "$SMPROGRAMS\Blendtray.lnk" "$INSTDIR\blendtrayw.exe"
  WriteUninstaller "$INSTDIR\uninstall.exe"

  ; The version before may have been in another folder.
  ${If} $Before != ""
  ${AndIf} $Before != $INSTDIR
    nsExec::Exec '"$PLUGINSDIR\setup.exe" path remove "$Before" $Scope'
    Delete "$Before\blendtray.exe"
    Delete "$Before\blendtrayw.exe"
    Delete "$Before\LICENSE.txt"
    Delete "$Before\README.txt"
    Delete "$Before\THIRD-PARTY.txt"
    Delete "$Before\MINGW-W64.txt"
    Delete "$Before\blendtray.cdx.json"
    Delete "$Before\uninstall.exe"
    RMDir "$Before"
    ReadRegStr $R0 SHCTX "${LOGIN}" "Blendtray"
    ${If} $R0 != ""
      WriteRegStr SHCTX "${LOGIN}" "Blendtray" '"$INSTDIR\blendtrayw.exe"'
    ${EndIf}
  ${EndIf}

  WriteRegStr SHCTX "Software\Blendtray" "Folder" "$INSTDIR"
  WriteRegStr SHCTX "${UNINSTALL}" "DisplayName" "Blendtray"
  WriteRegStr SHCTX "${UNINSTALL}" "DisplayVersion" "${VERSION}"
  WriteRegStr SHCTX "${UNINSTALL}" "DisplayIcon" "$INSTDIR\blendtrayw.exe"
  WriteRegStr SHCTX "${UNINSTALL}" "Publisher" "The Blendtray authors"
  WriteRegStr SHCTX "${UNINSTALL}" "InstallLocation" "$INSTDIR"
  WriteRegStr SHCTX "${UNINSTALL}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr SHCTX "${UNINSTALL}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD SHCTX "${UNINSTALL}" "NoModify" 1
  WriteRegDWORD SHCTX "${UNINSTALL}" "NoRepair" 1
SectionEnd

Section "Commands in every console (PATH)" SectionPath
  nsExec::Exec '"$PLUGINSDIR\setup.exe" path add "$INSTDIR" $Scope'
  SendMessage ${HWND_BROADCAST} ${WM_WININICHANGE} 0 "STR:Environment" /TIMEOUT=2000
SectionEnd

Section /o "Start at login" SectionLogin
  WriteRegStr SHCTX "${LOGIN}" "Blendtray" '"$INSTDIR\blendtrayw.exe"'
SectionEnd

; What ran runs again, as the new version, with the arguments that it had. An engine that was in a console
; has none any more.
Section
  !insertmacro StartAgain "$INSTDIR"
SectionEnd

; The choices of the page, for an installation without it, and those of the version before.
Function Choose
  !insertmacro Switch "/NOPATH" $R2
  ${If} $R2 != ""
    SectionSetFlags ${SectionPath} 0
  ${EndIf}
  !insertmacro Switch "/AUTOSTART" $R2
  ReadRegStr $R3 SHCTX "${LOGIN}" "Blendtray"
  ${If} $R2 != ""
  ${OrIf} $R3 != ""
    SectionSetFlags ${SectionLogin} 1
  ${EndIf}
FunctionEnd

Function StartTray
  ${If} $Ran == ""
    Exec '"$INSTDIR\blendtrayw.exe"'
  ${EndIf}
FunctionEnd

Function un.onInit
  SetRegView 64
  InitPluginsDir
  ReadRegStr $R3 HKLM "Software\Blendtray" "Folder"
  ${If} $R3 == $INSTDIR
    !insertmacro NeedAdministrator "$INSTDIR\uninstall.exe" ""
    !insertmacro ForMachine
  ${EndIf}
FunctionEnd

Section "Uninstall"
  File "/oname=$PLUGINSDIR\setup.exe" "${SETUP}"
  nsExec::Exec '"$PLUGINSDIR\setup.exe" leave "$INSTDIR"'
  !insertmacro EndRunning '"$INSTDIR"'
  nsExec::Exec '"$PLUGINSDIR\setup.exe" path remove "$INSTDIR" $Scope'
  SendMessage ${HWND_BROADCAST} ${WM_WININICHANGE} 0 "STR:Environment" /TIMEOUT=2000
  Delete "$INSTDIR\blendtray.exe"
  Delete "$INSTDIR\blendtrayw.exe"
  Delete "$INSTDIR\LICENSE.txt"
  Delete "$INSTDIR\README.txt"
  Delete "$INSTDIR\THIRD-PARTY.txt"
  Delete "$INSTDIR\MINGW-W64.txt"
  Delete "$INSTDIR\blendtray.cdx.json"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\Blendtray.lnk"
  DeleteRegKey SHCTX "${UNINSTALL}"
  DeleteRegKey SHCTX "Software\Blendtray"
  DeleteRegValue SHCTX "${LOGIN}" "Blendtray"
  ; Settings and runs are the user's: they go only when that is said.
  !insertmacro Switch "/FORGET" $R2
  ${If} $R2 == ""
    MessageBox MB_YESNO|MB_ICONQUESTION|MB_DEFBUTTON2 "Also remove your settings, the runs and their output? Your scripts and pictures stay." /SD IDNO IDNO kept
  ${EndIf}
  nsExec::Exec '"$PLUGINSDIR\setup.exe" forget'
  kept:
SectionEnd

LangString AboutProgram ${LANG_ENGLISH} "The tray, the window and the commands."
LangString AboutPath ${LANG_ENGLISH} "Makes blendtray a command in every console that is opened from now on."
LangString AboutLogin ${LANG_ENGLISH} "Start the tray when you log in. It can be changed in the tray."
!insertmacro MUI_FUNCTION_DESCRIPTION_BEGIN
  !insertmacro MUI_DESCRIPTION_TEXT ${SectionProgram} $(AboutProgram)
  !insertmacro MUI_DESCRIPTION_TEXT ${SectionPath} $(AboutPath)
  !insertmacro MUI_DESCRIPTION_TEXT ${SectionLogin} $(AboutLogin)
!insertmacro MUI_FUNCTION_DESCRIPTION_END
