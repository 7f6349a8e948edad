# Fetches the page's npm packages into FOLDER (beside copies of package.json and its lock) and
# leaves the file STAMP. Nothing of theirs runs: --ignore-scripts.
find_program(NPM npm)
if(NOT NPM)
  message(FATAL_ERROR "the chat page is built with npm packages and there is no npm here: install "
    "it (scripts/setup build, or apt-get install npm) and build again")
endif()
file(COPY ${SOURCE}/package.json ${SOURCE}/package-lock.json DESTINATION ${FOLDER})
execute_process(
  COMMAND ${NPM} ci --prefix ${FOLDER} --ignore-scripts --no-audit --no-fund
  WORKING_DIRECTORY ${FOLDER}
  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "npm ci failed for the chat page's packages; mend that and build again:\n"
    "${output}")
endif()
file(TOUCH ${STAMP})
